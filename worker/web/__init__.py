"""The front door: ORES' API and Lift Wing's, in front of the workers. It has only routes and shapes of documents."""
