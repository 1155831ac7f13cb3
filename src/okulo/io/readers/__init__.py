"""Readers of data sets: class folders, CSV, tables, COCO, YOLO, masks; one file each."""
