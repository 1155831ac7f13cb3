"""Where one machine does not suffice: files that run the same service on Kubernetes."""
