"""The transport `rabbitmq`, on a real RabbitMQ: apt-get install rabbitmq-server."""
