//! The live target: this machine, real clusters, the network.
