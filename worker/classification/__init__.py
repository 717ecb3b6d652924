"""What readers see: scores as rows of `ores_classification` and `ores_model`."""
