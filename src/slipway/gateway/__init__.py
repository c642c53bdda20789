"""The gateway: a Flask app in front of model servers, a handler for each of its routes."""

from slipway.gateway.answers import Content
from slipway.gateway.app import create_app, create_blueprint
from slipway.gateway.config import GatewayConfig
from slipway.gateway.handler import Handler, handler
from slipway.gateway.inputs import Base64, Body, Form, Header, Image, Json, Query, Upload
from slipway.gateway.predict import Predict
from slipway.gateway.values import InputLimits

__all__ = [
    "Base64",
    "Body",
    "Content",
    "Form",
    "GatewayConfig",
    "Handler",
    "Header",
    "Image",
    "InputLimits",
    "Json",
    "Predict",
    "Query",
    "Upload",
    "create_app",
    "create_blueprint",
    "handler",
]
