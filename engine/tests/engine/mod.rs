mod closures;
mod diagnostics;
mod fan_out;
mod limits;
mod naming;
mod params;
mod running;
mod support;
