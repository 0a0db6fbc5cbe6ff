"""What a method needs, promises and costs."""
