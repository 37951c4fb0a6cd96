"""The compact model: a frozen backbone, and around it modules of many kinds, stacked by client."""
