//! A plan as a drawing: one file a format. Adding one is a file and a line in [`FORMATS`].
