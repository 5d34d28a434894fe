"""From ranks to tables: measures with intervals, degradation, comparisons with baselines, gates."""
