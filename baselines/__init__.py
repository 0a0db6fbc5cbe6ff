"""One module or package per published method, each an `icvos.method.Method`."""
