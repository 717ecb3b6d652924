"""The words that everything else uses: models, score ids, thresholds, failures, errors. Pure."""
