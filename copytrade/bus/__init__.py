"""The bus between nodes: NATS with JetStream. Imported only where [nodes] url is set."""
