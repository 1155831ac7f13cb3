"""Pages: plain ES modules and style sheets, served beside the server's own addresses."""
