"""Models: potentials trained from a dataset.

A model is ``train(train, validation, hyper, training, seed, folder, threads, provenance)``; a new
one is one module with such a function and one line here. Names are resolved with
``pkgutil.resolve_name`` so that knowing them does not import torch.
"""

MODELS = {"schnet": "minset.model.train:train_schnet"}
