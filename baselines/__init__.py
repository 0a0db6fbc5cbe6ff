"""One module per published method, each an `icvos.method.Method`."""
