"""The front door: ORES' API and Lift Wing's, in front of the workers. A face: routes, shapes and nothing else."""
