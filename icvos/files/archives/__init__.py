"""Archives from strangers, zip and tar.gz: judged by their lists of entries, then unpacked within bounds."""
