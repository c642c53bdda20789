"""The stack: model servers, gateways and nginx, kept running by supervisor."""
