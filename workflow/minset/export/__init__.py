"""A trained model and its data as a folder for whoever has no part in the workflow."""
