"""Reads rendered manifests from standard input, validates each against Kubernetes' own schemas, and writes all of them as JSON.

What is no part of Kubernetes itself has no schema here: those kinds are named, and any other without one is an error.
"""

import json
import sys

import kubernetes_validate
import yaml

# Of the Prometheus operator.
WITHOUT_SCHEMA = {"PodMonitor", "PrometheusRule"}
# Kustomize's newest fields must not be needed: the oldest and the newest version that are still looked after.
VERSIONS = ("1.31", "1.37")

objects = [document for document in yaml.safe_load_all(sys.stdin) if document]
for item in objects:
    if item["kind"] in WITHOUT_SCHEMA:
        continue
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(item, version, strict=True)
        except Exception as error:
            sys.exit(f"{item['kind']} {item['metadata']['name']}, Kubernetes {version}: {error}")
json.dump(objects, sys.stdout)
