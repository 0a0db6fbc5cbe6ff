"""Networks and propagators that more than one method stands on."""
