//! The binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    logoscope::engine::stdio::prepare_environment();
    logoscope::cli::main()
}
