"""Renders the Helm chart by Helm itself, and validates it against Kubernetes' schemas: `make chart`."""

import sys
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import yaml

CHART = Path(__file__).parent / "helm"
KUBERNETES = ("1.29", "1.37")
NEEDED = {"secretName": "transcriber", "publicUrl": "https://t.example.org", "storage": {"url": "s3://speech/live"}}
WAYS: dict[str, dict[str, Any]] = {
    "least": {},
    "everything": {
        "imagePullSecrets": ["registry"],
        "storage": {"url": "s3://speech/live", "endpointUrl": "http://minio:9000"},
        "model": "large-v3",
        "extraEnv": [{"name": "TRANSCRIBER_CANARY_MINUTES", "value": "0"}],
        "prefect": {"postgresql": True},
        "models": {"existingClaim": "models"},
        "web": {"persistence": {"size": "1Ti", "storageClassName": "fast"}},
        "workers": {
            "gpu": {
                "nodeSelector": {"gpu": "yes"},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "scaling": {"enabled": True},
            }
        },
        "ingress": {"enabled": True, "className": "nginx", "host": "t.example.org", "tlsSecretName": "tls"},
    },
}
REFUSED: dict[str, dict[str, Any]] = {
    "no secret": {"secretName": ""},
    "a folder as storage": {"storage": {"url": "/data"}},
    "an unknown value": {"workers": {"gpuu": {}}},
    "a negative number": {"workers": {"cpu": {"replicas": -1}}},
}


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of the chart with these values, as Helm makes them."""
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(NEEDED | values)
        files = chart.render(NEEDED | values, name="demo", namespace="speech")
    texts = [text for name, text in sorted(files.items()) if name.endswith(".yaml")]
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


def problems_of(one: dict[str, Any]) -> list[str]:
    """Return what is wrong with an object: by Kubernetes' schemas, and by our own rules for pods."""
    name = f"{one['kind']} {one['metadata']['name']}"
    if one["apiVersion"].startswith("keda.sh/"):  # KEDA's own kinds, which Kubernetes' schemas do not have
        return []
    problems = []
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            problems.append(f"{name} ({version}): {error.message}")
    pod = one.get("spec", {}).get("template", {}).get("spec")
    for container in pod["containers"] if pod else []:
        context = pod["securityContext"] | container["securityContext"]
        if not context["runAsNonRoot"] or not context["readOnlyRootFilesystem"] or context["allowPrivilegeEscalation"]:
            problems.append(f"{name}: it may write its root, or become somebody else")
        if "memory" not in container["resources"]["limits"]:
            problems.append(f"{name}: its memory has no limit")
    return problems


def main() -> int:
    """Print what is wrong; return 1 if something is."""
    problems = [f"lint: {error}" for error in helm.lint(str(CHART), NEEDED)["errors"]]
    for way, values in WAYS.items():
        objects = rendered(values)
        sys.stdout.write(f"{way}: {', '.join(sorted(one['kind'] for one in objects))}\n")
        problems += [f"{way}: {problem}" for one in objects for problem in problems_of(one)]
    for why, values in REFUSED.items():
        try:
            rendered(values)
        except helm.HelmError as error:
            sys.stdout.write(f"refused, as it should be: {why} ({str(error).splitlines()[-1]})\n")
        else:
            problems.append(f"values are accepted: {why}")
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
