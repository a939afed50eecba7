"""What a ``when`` column may ask about a request: image, name and labels of its object.

A key that is not there is not known; the empty string is known to be absent.
``label.*`` says that every label is known.
"""

from collections.abc import Mapping

from authz.docker.request import ApiRequest
from authz.facts.facts import ALL_LABELS, LABEL
from authz.facts.images import image_of
from authz.facts.known import UNKNOWN, Known
from authz.facts.marks import MADE
from authz.facts.members import Document, table, text, texts
from authz.facts.objects import SPECIFIED, labels_of, object_document
from authz.facts.questions import Topic
from authz.facts.services import rolled_back

_ASKED = {
    "container": Topic.CONTAINER,
    "exec": Topic.CONTAINER,
    "image": Topic.IMAGE,
    "network": Topic.NETWORK,
    "volume": Topic.VOLUME,
    "service": Topic.SERVICE,
    "task": Topic.SERVICE,
    "secret": Topic.SECRET,
    "config": Topic.CONFIG,
    "node": Topic.NODE,
}


def conditions(request: ApiRequest, known: Known) -> Mapping[str, str]:
    """Return image, name and labels, as far as they are known."""
    operation = request.operation
    if operation.name in MADE:
        return _of_new(request, known)
    if operation.object in _ASKED:
        answer = object_document(request, known)
        if not isinstance(answer, Mapping):
            return {}
        found = _of_stored(_ASKED[operation.object], answer, known)
        return _as_updated(found, request, known) if operation.name == "ServiceUpdate" else found
    if operation.name == "ImageCreate":
        return {**_image(request.parameter("fromImage"), known), **_NOTHING_ELSE}
    return {"image": "", **_NOTHING_ELSE}


_NOTHING_ELSE = {"name": "", ALL_LABELS: ""}


def _of_new(request: ApiRequest, known: Known) -> Mapping[str, str]:
    """Return what the caller says of what he makes."""
    body: Document = request.body or {}
    name = request.parameter("name").removeprefix("/") or text(body, "Name")
    labels = _labels(texts(body, "Labels"))
    image = text(body, "Image") or _image_of_service(body)
    return {**_image(image, known), "name": name, **labels}


def _image_of_service(spec: Document) -> str:
    return text(table(table(spec, "TaskTemplate"), "ContainerSpec"), "Image")


def _of_stored(topic: Topic, document: Document, known: Known) -> Mapping[str, str]:
    if topic in SPECIFIED:
        spec = table(document, "Spec")
        name = text(table(document, "Description"), "Hostname") or text(spec, "Name")
        labels = _labels(labels_of(topic, document))
        return {**_image(_image_of_service(spec), known), "name": name, **labels}
    name = text(document, "Name").removeprefix("/")
    image = text(table(document, "Config"), "Image") if topic is Topic.CONTAINER else ""
    return {**_image(image, known), "name": name, **_labels(labels_of(topic, document))}


def _as_updated(found: Mapping[str, str], request: ApiRequest, known: Known) -> Mapping[str, str]:
    """Return what is known of a service with the image that it will run.

    Its name and labels say which one it is, and what they were counts. The
    image says what is done with it; of two that may come it is not known which.
    """
    images = {image_of(_image_of_service(request.body or {}), known)}
    previous = rolled_back(request, known)
    if previous is not None:
        images.add(image_of(_image_of_service(previous), known) if previous else UNKNOWN)
    others = {key: value for key, value in found.items() if key != "image"}
    image = images.pop()
    return others if images or image == UNKNOWN else {**others, "image": image}


def _image(written: str, known: Known) -> Mapping[str, str]:
    """Return the image; nothing where it cannot be told."""
    image = image_of(written, known)
    return {} if image == UNKNOWN else {"image": image}


def _labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    return {ALL_LABELS: "", **{LABEL + key: value for key, value in labels.items()}}
