"""Handlers of the usual examples, shipped with Slipway, to be copied from freely."""
