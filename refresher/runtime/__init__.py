"""What a process is made of: services, cipher, broker, jobs, health, logs, metrics."""
