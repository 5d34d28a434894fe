"""The picture world: scenes, dialogues about them, and the training of the three small models that know them."""
