"""SAM and SAM 2, on images and through videos."""
