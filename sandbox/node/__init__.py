"""A node that really runs containers, beside the simulated ones: containerd, kubelet, kube-proxy, CoreDNS, a volume
provisioner and an ingress controller, in namespaces of their own. See "A real node" in sandbox/README.md.
"""
