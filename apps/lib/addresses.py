"""Which network addresses outgoing requests may reach: public ones, and private ones by allow-list only."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IPv6 ranges whose last 32 bits are an IPv4 address that the packet ends at.
_CARRIES_IPV4 = (ip_network("64:ff9b::/96"), ip_network("::/96"))


class AddressNotAllowed(ValueError):
    """A host has an address that must not be reached; the text names both."""


def networks(allowed: Iterable[str | Network]) -> tuple[Network, ...]:
    """The allow-list as networks; a plain address is a network of one."""
    return tuple(ip_network(entry) if isinstance(entry, str) else entry for entry in allowed)


def check(host: str, found: Sequence[str], allow_private: Sequence[Network]) -> tuple[str, ...]:
    """The addresses a host resolved to, if every one of them may be reached, else AddressNotAllowed."""
    if not found:
        raise AddressNotAllowed(f"{host} has no address; correct the host name.")
    for text in found:
        target = destination(ip_address(text))
        if not is_allowed(target, allow_private):
            raise AddressNotAllowed(
                f"{host} is at {target}, which is not a public address; "
                f"an administrator can add its network to the allow-list."
            )
    return tuple(dict.fromkeys(found))


def is_allowed(target: Address, allow_private: Sequence[Network]) -> bool:
    """Whether a destination is public or on the allow-list."""
    if any(target.version == network.version and target in network for network in allow_private):
        return True
    return target.is_global and not target.is_multicast and not target.is_reserved


def destination(address: Address) -> Address:
    """Where a packet really ends: the IPv4 address inside a mapped, NAT64, 6to4 or Teredo one."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if int(address) > 1 and any(address in network for network in _CARRIES_IPV4):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
