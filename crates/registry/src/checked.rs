//! Streams that end in an error if they are not what was asked for.
