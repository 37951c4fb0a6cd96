"""The loops of relaying: exact changes of a tree's clock and joules, growing, annealing, prices; compiled."""
