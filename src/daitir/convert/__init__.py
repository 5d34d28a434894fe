"""Converters: checkpoints in their authors' own layouts, made into directories that components load.

A converter is a module here with ``add_arguments(parser)`` and ``run(arguments)``.
"""
