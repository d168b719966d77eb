"""Views: one file a page or a family of pages. A view reads, asks ``access`` who may, and picks a template."""
