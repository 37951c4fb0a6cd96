"""The compact model: frozen encoders and backbone, adapters and heads stacked by client."""
