"""How many digits a currency's amounts have after the point: ISO 4217, List One, of January 2026."""

from collections.abc import Mapping

__all__ = ["find_digits", "list_digits"]

_USUAL = 2
_OTHER = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_TWO = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY "
    "COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS "
    "INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR "
    "MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP "
    "STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG"
)
_WITHDRAWN = "ANG BGN BYR CUC HRK MRO SLL STD VEF ZWL"
"""Currencies that older orders may be in; all but the rouble of Belarus had two digits."""
_DIGITS = {
    **dict.fromkeys(_TWO.split(), _USUAL),
    **dict.fromkeys(_WITHDRAWN.split(), _USUAL),
    **{code: digits for digits, codes in _OTHER.items() for code in codes.split()},
    "BYR": 0,
}


def list_digits() -> Mapping[str, int]:
    """Digits after the point by currency."""
    return _DIGITS


def find_digits(currency: str | None) -> int | None:
    """Digits after the point of an amount in a currency, named by its code in any case; None where it is unknown."""
    return None if currency is None else _DIGITS.get(currency.upper())
