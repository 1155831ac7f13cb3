"""Small networks that say how to blend what the filters make of each face's normal."""
