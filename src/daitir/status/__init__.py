"""Where a run stands: which jobs are done, running, stopped or left, and how long the rest will take."""
