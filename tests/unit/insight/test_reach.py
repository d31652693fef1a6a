"""How to reach a Service, by its type."""

from __future__ import annotations

from typing import Any

from dashboard.insight.reach import Way, reach_of

from .world import World, meta


def service(world: World, *ports: dict[str, Any], **spec: Any) -> Any:
    status = spec.pop("status", {})
    ports = ports or ({"name": "http", "port": 80, "targetPort": 8080},)
    usual = {"type": "ClusterIP", "clusterIPs": ["10.0.0.9"], "selector": {"app": "web"}}
    spec = usual | {"ports": list(ports)} | spec
    return world.add("services", {"metadata": meta("web"), "spec": spec, "status": status})


def endpoints(world: World, *addresses: tuple[str, bool], hostname: str = "") -> None:
    each = [
        {"addresses": [address], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": f"p-{address}"}}
        | ({"hostname": hostname} if hostname else {})
        for address, ready in addresses
    ]  # fmt: skip
    labels = {"kubernetes.io/service-name": "web"}
    world.add("endpointslices", {"metadata": meta("web-1", labels=labels), "endpoints": each})


def ways(world: World, found: Any) -> dict[str, Way]:
    return {way.from_: way for way in reach_of(world, found).ways}


def said(world: World, found: Any) -> str:
    return " ".join(reach_of(world, found).sentences)


def test_an_address_that_stays_before_pods_that_come_and_go() -> None:
    world = World()
    endpoints(world, ("10.1.0.1", True), ("10.1.0.2", False))
    text = said(world, service(world))
    assert "Its address (10.0.0.9) and its name stay the same" in text
    assert "1 ready address and 1 that is not ready (10.1.0.1)" in text
    assert "inside the cluster only" in text


def test_from_inside_by_name_and_from_ones_own_machine_by_kubectl() -> None:
    world = World()
    found = ways(world, service(world))
    assert found["In namespace shop"].address == "http://web"
    assert found["In namespace shop"].note == "routes to targetPort 8080 of the pods"
    assert found["In other namespaces"].address == "http://web.shop"
    command = "kubectl port-forward -n shop service/web 8080:80"
    assert found["From your own machine"].address == command


def test_a_port_that_speaks_no_http_is_host_and_port() -> None:
    world = World()
    found = ways(world, service(world, {"port": 5432}, {"name": "dns", "port": 53, "protocol": "UDP"}))
    assert found["In namespace shop"].address == "web:5432"
    assert found["In namespace shop, port dns"].address == "web:53 (UDP)"


def test_no_port_is_forwarded_to_pods_that_do_not_run() -> None:
    world = World()
    found = service(world)
    pending = {
        "metadata": meta("web-1", labels=found.spec.selector),
        "spec": {},
        "status": {"phase": "Pending"},
    }
    world.add("pods", pending)
    assert "From your own machine" not in ways(world, found)
    world.add("pods", pending | {"status": {"phase": "Running"}})
    assert "From your own machine" in ways(world, found)


def test_a_headless_service_leads_to_the_pods_themselves() -> None:
    world = World()
    endpoints(world, ("10.1.0.1", True), hostname="db-0")
    headless = service(world, {"port": 80, "targetPort": 8080}, clusterIPs=["None"])
    assert "no address of its own" in said(world, headless)
    found = ways(world, headless)
    assert found["In namespace shop"].address == "http://web:8080"
    assert found["A specific pod"].address == "db-0.web.shop"


def test_a_headless_services_named_port_is_the_pods_number() -> None:
    world = World()
    labels = {"kubernetes.io/service-name": "web"}
    world.add(
        "endpointslices",
        {"metadata": meta("web-1", labels=labels), "ports": [{"name": "http", "port": 8443}]},
    )
    found = ways(
        world, service(world, {"name": "http", "port": 80, "targetPort": "web"}, clusterIPs=["None"])
    )
    assert found["In namespace shop"] == Way("In namespace shop", "http://web:8443")


def test_without_a_selector_kubectl_finds_no_pod_to_forward_to() -> None:
    world = World()
    assert "From your own machine" not in ways(world, service(world, selector=None))


def test_an_ingress_by_its_first_address_and_tls_by_a_wildcard() -> None:
    world = World()
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    balancer = {"loadBalancer": {"ingress": [{"ip": "2001:db8::1"}, {"ip": "2001:db8::2"}]}}
    world.add("ingresses", {"metadata": meta("any"), "spec": {"defaultBackend": backend}, "status": balancer})
    assert ways(world, service(world))["From outside"].address == "http://[2001:db8::1]/"
    rules = [{"host": "a.example.com", "http": {"paths": [{"path": "/", "backend": backend}]}}]
    tls = [{"hosts": ["*.example.com"], "secretName": "t"}]
    world.add("ingresses", {"metadata": meta("any"), "spec": {"rules": rules, "tls": tls}})
    assert ways(world, service(world))["From outside"].address == "https://a.example.com/"


def test_another_name_for_something_elsewhere() -> None:
    world = World()
    alias = service(world, type="ExternalName", externalName="db.example.com")
    assert "answers with db.example.com" in said(world, alias)
    assert ways(world, alias)["In the cluster"].address == "web.shop"


def test_a_load_balancer_with_and_without_an_address() -> None:
    world = World()
    waiting = ways(world, service(world, type="LoadBalancer"))["From outside"]
    assert waiting.address == "" and "pending" in waiting.note
    status = {"loadBalancer": {"ingress": [{"ip": "2001:db8::1"}]}}
    port = {"name": "http", "port": 8080}
    there = ways(world, service(world, port, type="LoadBalancer", status=status))["From outside"]
    assert there.address == "http://[2001:db8::1]:8080"


def test_a_load_balancer_without_an_address_leads_nowhere_yet_and_its_limits_are_said() -> None:
    world = World()
    limited = service(world, type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8"])
    assert "through a load balancer, once that has an address" in said(world, limited)
    assert "let in only 10.0.0.0/8" in said(world, limited)


def test_without_a_selector_there_are_no_pods_of_its_own() -> None:
    world = World()
    endpoints(world, ("192.0.2.7", True))
    text = said(world, service(world, selector=None))
    assert "pods are replaced" not in text and "managed elsewhere" in text
    headless = said(world, service(world, selector=None, clusterIPs=["None"]))
    assert "resolves to addresses that are managed elsewhere" in headless


def test_any_name_of_a_wildcard_host_is_no_address_to_copy_as_it_is() -> None:
    world = World()
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rules = [{"host": "*.example.com", "http": {"paths": [{"path": "/", "backend": backend}]}}]
    world.add("ingresses", {"metadata": meta("any"), "spec": {"rules": rules}})
    assert ways(world, service(world))["From outside"].address == "http://<any name>.example.com/"


def test_a_node_port_at_a_nodes_address_for_outside_if_it_has_one() -> None:
    world = World()
    addresses = [
        {"type": "InternalIP", "address": "10.9.0.1"},
        {"type": "ExternalIP", "address": "203.0.113.5"},
    ]
    world.add("nodes", {"metadata": {"name": "n"}, "status": {"addresses": addresses}})
    port = {"name": "http", "port": 80, "nodePort": 31000}
    found = ways(world, service(world, port, type="NodePort"))["Through a node"]
    assert found.address == "http://203.0.113.5:31000"


def test_the_addresses_by_which_ingresses_lead_to_it() -> None:
    world = World()
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    other = {"service": {"name": "other", "port": {"number": 80}}}
    paths = [{"path": "/shop", "backend": backend}, {"path": "/x", "backend": other}]
    world.add(
        "ingresses",
        {
            "metadata": meta("front"),
            "spec": {
                "tls": [{"hosts": ["shop.example"], "secretName": "t"}],
                "rules": [{"host": "shop.example", "http": {"paths": paths}}],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.10"}]}},
        },
    )
    found = ways(world, service(world))["From outside"]
    assert found.address == "https://shop.example/shop"
    assert found.ref is not None and found.ref.name == "front" and "192.0.2.10" in found.note


def test_policies_that_change_where_traffic_goes_are_said() -> None:
    world = World()
    text = said(
        world,
        service(
            world, type="NodePort", sessionAffinity="ClientIP", externalTrafficPolicy="Local",
            internalTrafficPolicy="Local", publishNotReadyAddresses=True,
        ),
    )  # fmt: skip
    for word in (
        "ClientIP",
        "external traffic policy",
        "internal traffic policy",
        "publishNotReadyAddresses",
    ):
        assert word in text
