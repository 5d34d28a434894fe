"""The picture world: scenes, dialogues about them, and the training of the models that know them."""
