"""The bundle: fetching, checking, opening, and writing the folder that a version is; and the engines that predict from it.

Importing this package imports neither scikit-learn nor pandas; the engine that needs them does so itself. Not here: training and serving.
"""
