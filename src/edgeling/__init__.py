"""Edgeling: from a data file to a neural network proven on an emulated chip."""
