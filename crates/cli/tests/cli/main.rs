//! The program as a whole: arguments in, standard output, standard error and exit code out.

mod blobs;
mod images;
mod keys;
mod policies;
mod sboms;
mod shell;
mod stage;
mod story;
