"""The page: what the tables, figures and files of a run say, in one HTML file that needs no network."""
