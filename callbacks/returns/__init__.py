"""The return route: a person comes back from the vendor and sees a page, or is redirected."""
