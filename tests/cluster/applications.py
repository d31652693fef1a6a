"""Five small applications after well-known public ones, for backups and restores. ``{ns}`` is their namespace."""

from __future__ import annotations

import base64
import copy
from typing import Any

import yaml

from sandbox.api import ApiError

RBAC = "/apis/rbac.authorization.k8s.io/v1"
# A shop: a web tier and its database, which keeps its data on a claim (after the WordPress and MySQL tutorial).
SHOP = """
apiVersion: v1
kind: Secret
metadata: {name: database}
type: Opaque
stringData: {password: canary-of-the-database}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web-settings, labels: {app: web}}
data:
  LOG_LEVEL: info
  DATABASE: "database.{ns}.svc:3306"
---
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {clusterIP: None, selector: {app: database}, ports: [{name: mysql, port: 3306}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: database}
spec:
  serviceName: database
  replicas: 1
  selector: {matchLabels: {app: database}}
  template:
    metadata: {labels: {app: database}}
    spec:
      containers:
      - name: mysql
        image: mysql:8
        env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: database, key: password}}}]
        volumeMounts: [{name: data, mountPath: /var/lib/mysql}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: wordpress:6
        envFrom: [{configMapRef: {name: web-settings}}]
        volumeMounts: [{name: scratch, mountPath: /scratch}]
      volumes: [{name: scratch, emptyDir: {}}]
"""
# What leads to it from outside (after the Ingress tutorial).
EDGE = """
apiVersion: v1
kind: Secret
metadata: {name: web-tls}
type: Opaque
stringData: {tls.key: canary-of-the-key}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  tls: [{hosts: [shop.example], secretName: web-tls}]
  rules:
  - host: shop.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "{ns}"}}}]}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 4
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
"""
# An agent with an account and rights of its own (after a CI runner).
AGENT = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: runner}
rules: [{apiGroups: [""], resources: [pods, configmaps], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: runner}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: runner}
subjects: [{kind: ServiceAccount, name: runner, namespace: "{ns}"}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: runner}
spec:
  selector: {matchLabels: {app: runner}}
  template:
    metadata: {labels: {app: runner}}
    spec: {serviceAccountName: runner, containers: [{name: runner, image: "runner:1"}]}
"""
# A nightly report (after a database dump).
REPORT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: report}
data: {query.sql: "select 1"}
binaryData: {logo.png: iVBORw0KGgo=}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: report}
spec:
  schedule: "0 2 * * *"
  suspend: false
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: report, image: "report:1", volumeMounts: [{name: sql, mountPath: /sql}]}]
          volumes: [{name: sql, configMap: {name: report}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: load}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: load, image: "load:1"}]}}
"""
# A kind of its own, and an object of it that owns a ConfigMap, which owns another one.
CUSTOM = """
apiVersion: {group}/v1
kind: Backend
metadata: {name: orders}
spec: {size: 3, nested: {empty: {}, text: ""}}
"""
PLURALS = {
    "Secret": "/api/v1/namespaces/{ns}/secrets", "ConfigMap": "/api/v1/namespaces/{ns}/configmaps",
    "Service": "/api/v1/namespaces/{ns}/services", "ServiceAccount": "/api/v1/namespaces/{ns}/serviceaccounts",
    "StatefulSet": "/apis/apps/v1/namespaces/{ns}/statefulsets",
    "Deployment": "/apis/apps/v1/namespaces/{ns}/deployments",
    "DaemonSet": "/apis/apps/v1/namespaces/{ns}/daemonsets", "CronJob": "/apis/batch/v1/namespaces/{ns}/cronjobs",
    "Job": "/apis/batch/v1/namespaces/{ns}/jobs", "Ingress": "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers",
    "Role": RBAC + "/namespaces/{ns}/roles", "RoleBinding": RBAC + "/namespaces/{ns}/rolebindings",
}  # fmt: skip
CANARIES = ("canary-of-the-database", "canary-of-the-key")
CANARIES_ENCODED = tuple(base64.b64encode(each.encode()).decode() for each in CANARIES)


def definition(group: str) -> dict[str, Any]:
    """The custom kind of the last application."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"backends.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "plural": "backends",
                "singular": "backend",
                "kind": "Backend",
                "listKind": "BackendList",
            },
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


def install(api: Any, namespace: str, group: str) -> None:
    """Creates all five; the namespace is there, and so is the kind of the last one."""
    text = "\n---\n".join((SHOP, EDGE, AGENT, REPORT, CUSTOM))
    for one in yaml.safe_load_all(text.replace("{ns}", namespace).replace("{group}", group)):
        path = PLURALS.get(one["kind"], f"/apis/{group}/v1/namespaces/{{ns}}/backends")
        api.post(path.format(ns=namespace), one)
    for name, owner, path in (
        (
            "orders-state",
            (f"{group}/v1", "Backend", "orders"),
            f"/apis/{group}/v1/namespaces/{{ns}}/backends",
        ),
        ("orders-cache", ("v1", "ConfigMap", "orders-state"), PLURALS["ConfigMap"]),
        ("web-cache", ("apps/v1", "Deployment", "web"), PLURALS["Deployment"]),
    ):
        made = {"metadata": {"name": name}, "data": {"step": "3"}}
        uid = api.get(f"{path.format(ns=namespace)}/{owner[2]}")["metadata"]["uid"]
        reference = {**dict(zip(("apiVersion", "kind", "name"), owner, strict=True)), "uid": uid}
        made["metadata"]["ownerReferences"] = [reference]
        api.post(PLURALS["ConfigMap"].format(ns=namespace), made)


def present(api: Any, path: str) -> dict[str, Any] | None:
    """An object, if it is there."""
    try:
        return copy.deepcopy(api.get(path))
    except ApiError as error:
        if error.status == 404:
            return None
        raise
