"""What is given and what is decided: instances, networks, channels and plans."""
