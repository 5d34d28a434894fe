"""The picture world: scenes, dialogues about them, and the training of the three models that know them."""
