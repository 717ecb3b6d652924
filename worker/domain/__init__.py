"""The words everything else is said in: models, score ids, thresholds, failures, errors. Pure."""
