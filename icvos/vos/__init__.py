"""Two folders of masks with object ids, compared as DAVIS and vos-benchmark do."""
