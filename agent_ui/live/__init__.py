"""What reaches the browser by itself: regions of a page and JSON frames, over one socket."""
